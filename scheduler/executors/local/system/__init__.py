"""Processes, sockets, memory and logs as the operating system offers them."""
