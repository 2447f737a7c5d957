"""Ways to authenticate that no common standard describes, one file each: the schemes of the type `custom`."""
