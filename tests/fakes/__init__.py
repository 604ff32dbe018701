"""Stand-ins for PBX vendors: each speaks its vendor's API over real HTTP on the loopback interface,
written from the vendor's description and not from our client."""
