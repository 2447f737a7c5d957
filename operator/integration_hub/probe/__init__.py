"""From a definition's test to a request, and from its outcome to a diagnosis. Pure: no sockets, no clock."""
