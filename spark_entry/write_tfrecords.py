"""Write photographs as TFRecord files: `spark-submit write_tfrecords.py --job JOB.json`."""

from flowerexp.workload import main
from flowerexp.workload.write_tfrecords.writing import run

if __name__ == "__main__":
    main(run)
