"""Servers that stand for Google: Dataproc and Cloud Storage, each in a process of its own, on loopback.

The product talks to them with Google's own client libraries. `cloud.Cloud` starts them and tells them what to do. What
they refuse, they refuse because Google does: each refusal names its source.
"""
