"""Authentication methods: one file each, registered in `methods.py`. Pure: flows yield requests, never send them."""
