"""The built-in provider: answers in OpenAI's dialect without any account, to try the gateway and to test it.

Pure: `answer` returns what is to be sent and when; `router.transport.timed` waits and sends.

`request.py` checks a request, `turns.py` decides what each model says, `samples.py` makes values that fit a
JSON Schema, `wire.py` writes OpenAI's JSON and events, `embeddings.py` makes vectors. The same request always
gets the same answer.

| model | says |
|---|---|
| `demo/echo` | the last user message's text |
| `demo/tools` | calls the offered tools; all of them if the message mentions `parallel` |
| `demo/reasoning` | reasons first, in `reasoning_content` |
| `demo/slow` | waits a second, then a word each 200 ms; `slow 0.05` in the message scales both |
| `demo/error` | fails with the status named in the message, else 500; `429` and `503` say `retry-after` |
| `demo/truncated` | breaks off halfway, without an end |
| `demo/embed` | gives embeddings: texts that share words are near each other |

Those that chat, all but `demo/error`, call an offered tool unless `tool_choice` is `"none"`, answer a tool's
result in text that quotes it, and answer in JSON if `response_format` asks. Tokens are words.
"""

from router.providers.demo import embeddings, turns
from router.providers.demo.wire import DemoAnswer

__all__ = ["DemoAnswer", "answer"]


def answer(body: bytes, created: int) -> DemoAnswer:
    """Return the answer to a request; `created` is Unix time in seconds.

    Never raises: a request at fault gets OpenAI's error.
    """
    return embeddings.answer(body) if embeddings.is_asked(body) else turns.answer(body, created)
