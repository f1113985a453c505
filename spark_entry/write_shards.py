"""Write photographs as shards: `spark-submit write_shards.py --job JOB.json`."""

from flowerexp.workload import main
from flowerexp.workload.write_shards.writing import run

if __name__ == "__main__":
    main(run)
