"""How fast can images be read? The readers, and how one reading of a cell is prepared and measured."""
