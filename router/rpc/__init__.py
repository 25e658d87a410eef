"""The gRPC face: messages in, calls of the pipeline, messages out. No decision is made here.

`door.py` makes a `Call` of metadata and deadline, runs the pipeline and tells failures; `forward.py`,
`chat.py` and `models.py` are the services; `codec` translates between typed messages and OpenAI's JSON;
`status.py` writes failures as `google.rpc.Status`; `server.py` puts the server together.
"""
