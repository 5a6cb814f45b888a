"""Exit statuses of every command."""

SUCCESS = 0
SOMETHING_FAILED = 1  # it finished, but a picture could not be read or a check was not met
CANNOT_RUN = 2  # also click's own status for wrong usage
INTERRUPTED = 130  # by Ctrl-C: 128 + SIGINT, as shells have it
TERMINATED = 143  # 128 + SIGTERM
