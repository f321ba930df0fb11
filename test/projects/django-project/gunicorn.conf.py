import multiprocessing
import os

bind = "127.0.0.1:9000"
workers = multiprocessing.cpu_count() * 2 + 1
worker_class = "gthread"
threads = 4
timeout = 60
graceful_timeout = 20
max_requests = 5000
max_requests_jitter = 500
preload_app = True
accesslog = "-"
loglevel = os.environ.get("LOG_LEVEL", "info")
wsgi_app = "config.wsgi"
