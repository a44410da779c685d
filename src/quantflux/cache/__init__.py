"""The cache of results: policies, backends, single flight.

1. A value is looked for in the memory of the process (`memory`), then in the tier that all processes share (`shared`
   over a `backend`), then computed (`origin`); `manager` has the walk and is the only door.
2. One caller computes and the others wait: by a table of flights within a process, by a lock with a short life across
   processes.
3. A key names the version of the data behind it, so a write makes old entries unreachable; deleting is housekeeping.
4. A shared tier that fails costs one time-out; then a breaker keeps everybody away from it until it answers again.
5. Nothing lives only here: losing any entry at any moment makes an answer slower, never wrong.
"""
