"""A TCP proxy on a loopback port whose wire can be cut, stalled or slowed."""

import queue
import socket
import struct
import threading
import time

_CHUNK = 64 * 1024
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class _Wire:
    """One connection: two directions, each a reader and a writer with a queue of (due time, bytes) between them."""

    def __init__(self, proxy, near, far):
        self.near, self.far = near, far
        self._proxy = proxy
        self.flowing = proxy.flowing
        self._ended = threading.Event()
        for source, sink in ((near, far), (far, near)):
            pending = queue.Queue(maxsize=64)
            self._start(self._read, source, pending)
            self._start(self._write, sink, pending)

    def _start(self, function, *arguments):
        threading.Thread(target=function, args=arguments, daemon=True).start()

    def _read(self, source, pending):
        while not self._ended.is_set():
            try:
                data = source.recv(_CHUNK)
            except OSError:
                data = b""
            pending.put((time.monotonic() + self._proxy.delay, data))
            if not data:
                return

    def _write(self, sink, pending):
        while True:
            due, data = pending.get()
            time.sleep(max(0.0, due - time.monotonic()))
            while not self.flowing.wait(0.5):
                if self._ended.is_set():
                    return
            try:
                if data:
                    sink.sendall(data)
                    self._proxy.count(len(data))
                else:
                    sink.shutdown(socket.SHUT_WR)
                    return
            except OSError:
                self.close()
                return

    def close(self):
        """Ends both sides with a reset, as a router that lost its state does."""
        self._ended.set()
        for end in (self.near, self.far):
            try:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()


class Proxy:
    """Listens on `port` and leads to `target_port` on 127.0.0.1.

    blackhole() lets nothing through in either direction, and loses nothing: what was sent arrives after restore(), as
    TCP makes it do after an outage. New connections are accepted and then hear nothing. cut() resets what is open and
    refuses what is new, until restore(). reset() resets what is open now. strand() is what an address change does to
    what is open. `delay` is in seconds, one way.
    """

    def __init__(self, target_port):
        self.delay = 0.0
        self.flowing = threading.Event()
        self.flowing.set()
        self._target_port = target_port
        self._lock = threading.Lock()
        self._wires = []
        self._bytes = 0
        self._cut_at = None
        self._refusing = False
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                if self._refusing:
                    raise ConnectionRefusedError
                far = socket.create_connection(("127.0.0.1", self._target_port), timeout=10)
                far.settimeout(None)
            except OSError:
                near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                near.close()
                continue
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._wires.append(_Wire(self, near, far))

    def count(self, amount):
        with self._lock:
            self._bytes += amount
            reached = self._cut_at is not None and self._bytes >= self._cut_at
        if reached:
            self.cut()

    @property
    def bytes_passed(self):
        """Bytes that went through so far, both directions together."""
        with self._lock:
            return self._bytes

    @property
    def connections(self):
        """How many connections were made so far."""
        with self._lock:
            return len(self._wires)

    def cut_after(self, amount):
        """cut() by itself when AMOUNT more bytes have passed."""
        with self._lock:
            self._cut_at = self._bytes + amount

    def blackhole(self):
        self.flowing.clear()

    def strand(self):
        """What is open now passes nothing any more, for ever; what is new does."""
        with self._lock:
            for wire in self._wires:
                wire.flowing = threading.Event()

    def reset(self):
        with self._lock:
            wires = list(self._wires)
        for wire in wires:
            wire.close()

    def cut(self):
        self._refusing = True
        self.reset()

    def restore(self):
        with self._lock:
            self._cut_at = None
        self._refusing = False
        self.flowing.set()

    def close(self):
        try:
            self._listener.shutdown(socket.SHUT_RDWR)  # close() alone leaves accept() waiting
        except OSError:
            pass
        self._listener.close()
        self._thread.join(5)
        self.reset()
        self.flowing.set()
