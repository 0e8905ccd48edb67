"""gunicorn's settings, read by ``serve``. Logs go to stderr, and SIGTERM lets running requests finish.

With many models there is ONE worker process with threads: SageMaker's request to load a model reaches a single worker,
and the next request for that model must find it there. XGBoost releases the interpreter lock while it predicts, so the
threads still use all cores; and there is only one copy of each model. With one model there is a process for each CPU.

There are more threads than requests that are predicted at once (``SERVING_THREADS``), because most of them only wait
for a body. Headers are read without a thread (``header_first_worker``). So callers that send slowly do not keep
``/ping`` from being answered.
"""

from __future__ import annotations

from pathlib import Path

from container.serving_settings import ServingSettings

_settings = ServingSettings.from_environment()

bind = f"{_settings.host}:{_settings.port}"
worker_class = "container.header_first_worker.HeaderFirstWorker"
workers = _settings.workers
threads = _settings.connections
# SageMaker allows 60 s for an invocation and 60 s for a model load; a worker that hangs longer is replaced.
timeout = 120
# SageMaker kills a container 30 s after SIGTERM.
graceful_timeout = 25
keepalive = 75
accesslog = None
errorlog = "-"
loglevel = "info"
# The heartbeat file must not depend on a slow disk.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108
# gunicorn would put its control socket in the home folder, and nothing uses it.
control_socket_disable = True
