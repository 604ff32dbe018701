"""The evidence of each PBX, one folder a PBX, named like its folder in providers/: samples with the
record that must come of them, tests of adapter and client, a stand-in that speaks the vendor's API
over real HTTP on the loopback interface, and a dialect for the simulator. Stand-in and dialect are
written from the vendor's description and not from our code."""
