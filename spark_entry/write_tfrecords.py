"""Write photographs as TFRecord files: `spark-submit write_tfrecords.py --job JOB.json`."""

from flowerexp.workload.runner import main
from flowerexp.workload.write_tfrecords import run

if __name__ == "__main__":
    main(run)
