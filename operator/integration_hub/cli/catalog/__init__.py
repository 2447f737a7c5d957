"""`hub catalog`: finding definitions of the catalog, and installing them."""
