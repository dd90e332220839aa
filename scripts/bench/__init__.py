"""What the client costs, beside its peers: `make bench`, `make bench-quick`."""
