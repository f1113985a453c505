"""The network: a few layers of convolutions that learn on any machine, and one step of its training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flowerexp.workload.images.tensorflow import keras as load_keras
from flowerexp.workload.images.tensorflow import tensorflow

SIDE = 64
"""The network sees pictures of about this many pixels a side; larger ones are averaged down first."""

Exchange = Callable[[Any], Any]
"""Adds a vector of float32 up over all workers."""


def build(size: tuple[int, int], classes: int, seed: int, augment: bool) -> Any:
    """A new Keras model, from images of shape (n, height, width, 3), 0 to 255, to the logits of classes.

    Args:
        size: (height, width) of the images, in pixels.
        classes: how many.
        seed: of the first weights, of dropout, and of the augmentation.
        augment: whether pictures are mirrored, turned and enlarged by chance while it is trained.
    """
    keras = load_keras()

    keras.utils.set_random_seed(seed)
    layers, height, width = keras.layers, *size
    images = keras.Input((height, width, 3), name="images")
    smaller = max(1, min(height, width) // SIDE)
    found = layers.Rescaling(1 / 127.5, offset=-1)(layers.AveragePooling2D(smaller)(images))
    if augment:
        found = layers.RandomFlip("horizontal", seed=seed)(found)
        found = layers.RandomRotation(0.05, seed=seed)(found)
        found = layers.RandomZoom((-0.2, 0.1), seed=seed)(found)
    for filters in (32, 64, 96):
        found = layers.Conv2D(filters, 3, padding="same", activation="relu")(found)
        found = layers.MaxPooling2D(padding="same")(found)
    found = layers.Conv2D(128, 3, padding="same", activation="relu")(found)
    found = layers.Concatenate()([layers.GlobalAveragePooling2D()(found), layers.GlobalMaxPooling2D()(found)])
    return keras.Model(images, layers.Dense(classes)(layers.Dropout(0.3, seed=seed)(found)), name="flowers")


def with_probabilities(network: Any) -> Any:
    """The same network, which returns the probabilities of classes: what is saved, and serves."""
    keras = load_keras()

    return keras.Model(network.input, keras.layers.Softmax(name="probabilities")(network.output), name=network.name)


class Trainer:
    """Trains a network step by step, alone or together with other workers.

    All workers begin with the same weights. Each computes the gradients of its own images; their sum over all workers,
    divided by the number of images of all, changes the weights of each in the same way. So a step is that of one worker
    with all these images, also where a worker has fewer of them, or none.

    Args:
        network: of `build`.
        learning_rate: of Adam (Kingma and Ba, 2015).
        exchange: adds up over workers; None for one worker.
    """

    def __init__(self, network: Any, learning_rate: float, exchange: Exchange | None = None) -> None:
        keras = load_keras()
        tf = tensorflow()

        self.network = network
        self._weights = network.trainable_variables
        self._sizes = [int(tf.size(weight)) for weight in self._weights]
        self._optimizer = keras.optimizers.Adam(learning_rate)
        self._optimizer.build(self._weights)
        self._loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")
        self.exchange = exchange
        height, width = network.input_shape[1:3]
        batch = (tf.TensorSpec([None, height, width, 3], tf.float32), tf.TensorSpec([None], tf.int64))
        self.gradients = tf.function(self._gradients, input_signature=batch, autograph=False)
        self.evaluated = tf.function(self._evaluated, input_signature=batch, autograph=False)
        self.apply = tf.function(self._apply, input_signature=[tf.TensorSpec([None], tf.float32)], autograph=False)

    @property
    def nothing(self) -> Any:
        """What a worker without images adds to a step."""
        tf = tensorflow()

        return tf.zeros([sum(self._sizes) + 3])

    def _gradients(self, images: Any, labels: Any) -> Any:
        """The gradients of the sum of losses, and that sum, the right answers and the images, as one vector."""
        tf = tensorflow()

        with tf.GradientTape() as tape:
            logits = self.network(images, training=True)
            loss = self._loss(labels, logits)
        gradients = tape.gradient(loss, self._weights)
        return tf.concat([*(tf.reshape(one, [-1]) for one in gradients), self._counted(loss, logits, labels)], 0)

    def _evaluated(self, images: Any, labels: Any) -> tuple[Any, Any]:
        """The sum of losses, the right answers and the images; and the probabilities of classes."""
        tf = tensorflow()

        logits = self.network(images, training=False)
        return self._counted(self._loss(labels, logits), logits, labels), tf.nn.softmax(logits)

    def _counted(self, loss: Any, logits: Any, labels: Any) -> Any:
        tf = tensorflow()

        right = tf.reduce_sum(tf.cast(tf.argmax(logits, 1) == labels, tf.float32))
        return tf.stack([loss, right, tf.cast(tf.shape(labels)[0], tf.float32)])

    def _apply(self, total: Any) -> Any:
        """Change the weights by the sum of all workers' vectors; returns its three last numbers."""
        tf = tensorflow()

        pieces = tf.split(total[:-3] / total[-1], self._sizes)
        shaped = [tf.reshape(piece, weight.shape) for piece, weight in zip(pieces, self._weights, strict=True)]
        self._optimizer.apply_gradients(zip(shaped, self._weights, strict=True))
        return total[-3:]
