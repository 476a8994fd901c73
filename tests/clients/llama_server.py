"""A llama.cpp server on loopback. Arguments: the model's file, the port, the seconds after which it ends."""
import sys
import time

import xllamacpp

model, port, seconds = sys.argv[1:4]
params = xllamacpp.CommonParams()
params.model.path = model
params.port = int(port)
params.n_ctx = 512
params.n_parallel = 1
params.warmup = False
server = xllamacpp.Server(params)  # listens on 127.0.0.1 unless told otherwise
time.sleep(float(seconds))
