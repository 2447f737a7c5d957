"""`python -m integration_hub` is the same as `hub`."""

from integration_hub.cli.main import main

if __name__ == "__main__":
    main(prog_name="hub")
