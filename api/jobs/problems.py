"""Name the problems that requests for jobs meet."""

from http import HTTPStatus

from api.problems import Kind

UNKNOWN_JOB = Kind("unknown-job", HTTPStatus.NOT_FOUND, "Unknown job", "There is no such job.")
OUTPUT_TAKEN = Kind(
    "output-taken",
    HTTPStatus.CONFLICT,
    "Output taken",
    "An unfinished job writes there, below or above; `job` names it.",
)
QUEUE_FULL = Kind(
    "queue-full",
    HTTPStatus.TOO_MANY_REQUESTS,
    "Queue full",
    "As many jobs are unfinished as may be; `Retry-After` says when to come again.",
)
MOVE_REFUSED = Kind(
    "job-state",
    HTTPStatus.CONFLICT,
    "Not in this state",
    "The job's state does not allow what is asked; `state` names it.",
)
PLACE_REFUSED = Kind(
    "outside-the-stores",
    HTTPStatus.UNPROCESSABLE_ENTITY,
    "Outside of the stores",
    "A dataset may not lie there.",
)
NO_PREFECT = Kind(
    "no-prefect",
    HTTPStatus.SERVICE_UNAVAILABLE,
    "Jobs are not taken",
    "No Prefect is configured that would run them.",
)
NO_QUARANTINE = Kind(
    "no-quarantine",
    HTTPStatus.CONFLICT,
    "Nothing to retry",
    "The job has not published with rows in its quarantine.",
)
TOO_MANY_WATCHERS = Kind(
    "too-many-watchers",
    HTTPStatus.SERVICE_UNAVAILABLE,
    "Too many watchers",
    "As many streams are open as may be: ask for the job itself from time to time.",
)
