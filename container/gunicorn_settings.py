"""gunicorn's settings, read by ``serve``. Logs go to stderr; SIGTERM lets requests in hand finish.

With many models there is ONE worker process with threads: SageMaker's "load this model" reaches a single worker, and
the next request for that model must find it. XGBoost releases the interpreter lock while it predicts, so threads
still use the cores; and one process keeps one copy of each model. With one model, a process per CPU.
"""

from __future__ import annotations

from pathlib import Path

from container.serving_settings import ServingSettings

_settings = ServingSettings.from_environment()

bind = f"{_settings.host}:{_settings.port}"
worker_class = "gthread"
workers = _settings.workers
threads = _settings.threads
# SageMaker gives an invocation 60 s and a model load 60 s; a worker that hangs longer is replaced.
timeout = 120
# SageMaker kills a container 30 s after SIGTERM.
graceful_timeout = 25
keepalive = 75
accesslog = None
errorlog = "-"
loglevel = "info"
# The heartbeat file must not wait for a slow disk.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108
# gunicorn's control socket would be written to the home folder, and nobody talks to it.
control_socket_disable = True
