"""Authentication methods: one file each, registered in `methods.py`. Pure: flows send nothing."""
