"""A simulated vendor: plays a vendor file (`catalog.vendor`) over HTTPS, authorization server and all.

Everything is answered from the file, and what a request has that the vendor does not know is noted. Nothing here knows
definitions, and nothing uses the operator's code to know what is right: it is made to find mistakes there.
"""
