"""`python -m flowerexp` is `flowerexp`."""

from flowerexp.cli import main

if __name__ == "__main__":
    main()
