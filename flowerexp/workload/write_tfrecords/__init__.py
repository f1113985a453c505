"""The experiment write_tfrecords: how fast photographs become TFRecord files, and a picture of the result."""
