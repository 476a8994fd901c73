"""An upstream on loopback that speaks every API of streams.py: `/API/PLACE/…` is that API's answer with the canary in
its event number PLACE, one event at a time. Arguments: the port."""
import http.server
import sys

import streams


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        _, api, place, *_ = self.path.split("/")
        content_type, events = streams.answer(api, int(place))
        self.send_response(200)
        self.send_header("content-type", content_type)
        if api == "vercel-ui":
            self.send_header("x-vercel-ai-ui-message-stream", "v1")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        try:
            for event in events:
                self.wfile.write(f"{len(event):x}\r\n".encode() + event + b"\r\n")
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            pass  # the proxy has heard enough

    do_GET = do_POST

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
