"""The job ledger, and what runs jobs in this process.

A job is a row of our database from the moment it is asked for until it is swept away: queued, running with a
heartbeat, and at last done, failed or cancelled. Processes come and go; the row is what is true.

1. `Jobs.submit` writes the row, inside the caller's transaction if there is one.
2. `Claims.claim` takes the next job for a runner: the owner's turn first, then the oldest.
3. A `Runner` runs it on a thread, checks that the owner still may, and shows progress and heartbeat.
4. `Claims.finish`, `fail`, `cancelled` or `give_back` end the run. They name the run that they end, so one that was
   taken for dead and comes back late changes nothing.
5. `Claims.sweep` queues what dead processes left, at most twice; after three runs a job has failed.
"""

from quantflux.jobs.job import Job, State
from quantflux.jobs.ledger import Jobs
from quantflux.jobs.runner import Runner
from quantflux.jobs.told import Told

__all__ = ["Job", "Jobs", "Runner", "State", "Told"]
