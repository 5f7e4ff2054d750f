"""Maps of concmap for Python: a small binding to the dynamic map (concmap/any.h) by ctypes.

    counts = Map(key=str, value=int)
    counts["apple"] = 1
    counts.upsert("apple", 1, lambda count: count + 1)
    for word, count in counts.items(): ...

Keys are int (64 bits, unsigned) or str, values int or bytes. All threads may use a map at once; single calls are atomic. While
a call waits for another thread it does not hold the interpreter's lock. The library is the one that CONCMAP_LIBRARY names,
or that the system finds."""

import ctypes
import ctypes.util
import os
from ctypes import POINTER, byref, c_bool, c_char_p, c_int, c_size_t, c_uint64, c_void_p

OK, EXISTS, REPLACED, ABSENT = range(4)
NOMEM, INVALID = -1, -7
CHUNK = 256  # entries that items() gets at a time


class Error(Exception):
    """A call failed; the map is as it was."""


class Text(ctypes.Structure):
    """cm_str"""

    _fields_ = [("data", c_void_p), ("len", c_size_t)]

    def read(self):
        return ctypes.string_at(self.data, self.len)


class Config(ctypes.Structure):
    """cm_config"""

    _fields_ = [
        ("capacity", c_size_t),
        ("seed", c_uint64),
        ("allocator", c_void_p),
        ("limit", c_size_t),
        ("shrink", c_bool),
        ("fixed", c_bool),
        ("budget", c_size_t),
        ("references", c_int),
        ("domain", c_void_p),
        ("context", c_void_p),
    ]


Change = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p)
Visit = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p)


def load():
    name = os.environ.get("CONCMAP_LIBRARY") or ctypes.util.find_library("concmap") or "libconcmap.so.0"
    library = ctypes.CDLL(name)

    def declare(function, result, *arguments):
        function = getattr(library, function)
        function.restype, function.argtypes = result, arguments

    declare("cm_status_text", c_char_p, c_int)
    declare("cm_any_type_u64", None, c_void_p, c_size_t)
    declare("cm_any_type_text", None, c_void_p, c_size_t)
    declare("cm_any_type_text_values", None, c_void_p)
    declare("cm_any_text_make", c_int, c_void_p, c_char_p, c_size_t)
    declare("cm_any_text_free", None, c_void_p)
    declare("cm_any_create", c_void_p, c_void_p, c_void_p, POINTER(c_int))
    declare("cm_any_release", None, c_void_p)
    declare("cm_any_len", c_size_t, c_void_p)
    declare("cm_any_clear", c_int, c_void_p)
    declare("cm_any_contains", c_bool, c_void_p, c_void_p)
    declare("cm_any_get_until", c_int, c_void_p, c_void_p, c_void_p, c_uint64)
    declare("cm_any_put", c_int, c_void_p, c_void_p, c_void_p, c_void_p)
    declare("cm_any_insert", c_int, c_void_p, c_void_p, c_void_p)
    declare("cm_any_remove", c_int, c_void_p, c_void_p, c_void_p)
    declare("cm_any_upsert", c_int, c_void_p, c_void_p, c_void_p, Change, c_void_p)
    declare("cm_any_scan", c_int, c_void_p, POINTER(c_uint64), c_size_t, Visit, c_void_p)
    declare("cm_any_save_file", c_int, c_void_p, c_char_p, c_void_p, POINTER(c_char_p))
    declare("cm_any_load_file", c_int, c_void_p, c_void_p, c_void_p, c_char_p, c_void_p, POINTER(c_char_p))
    declare("cm_any_merge", c_int, c_void_p, c_void_p, c_void_p, c_void_p)
    declare("cm_any_destroy", None, c_void_p)
    return library


library = load()
SIZE_OF_TYPE, SIZE_OF_MAP = (c_size_t * 2).in_dll(library, "cm_any_sizes")  # the first of them
FOREVER = 2**64 - 2  # a time that does not come, so that a failure is told


def check(status):
    if status == NOMEM:
        raise MemoryError
    if status < 0:
        raise Error(library.cm_status_text(status).decode())
    return status


class Integers:
    """Keys or values that are numbers."""

    make = staticmethod(c_uint64)

    @staticmethod
    def read(address):
        return c_uint64.from_address(address).value

    @staticmethod
    def write(address, number):
        c_uint64.from_address(address).value = number

    @staticmethod
    def free(value):
        pass

    @staticmethod
    def check(what):
        if not isinstance(what, int) or not 0 <= what < 2**64:
            raise TypeError(f"an int of 64 bits is wanted, not {what!r}")


class TextKeys:
    """Keys that are texts; the map copies them."""

    @staticmethod
    def make(text):
        data = text.encode()
        key = Text(ctypes.cast(c_char_p(data), c_void_p), len(data))
        key.keep = data
        return key

    @staticmethod
    def read(address):
        return Text.from_address(address).read().decode()

    @staticmethod
    def check(what):
        if not isinstance(what, str):
            raise TypeError(f"a str is wanted, not {what!r}")


class Bytes:
    """Values that are bytes; the map takes what was made, and hands out copies."""

    @staticmethod
    def make(data=b""):
        value = Text()
        check(library.cm_any_text_make(byref(value), data, len(data)))
        return value

    @staticmethod
    def read(address):
        return Text.from_address(address).read()

    @staticmethod
    def write(address, data):
        value = Bytes.make(data)
        library.cm_any_text_free(address)
        ctypes.memmove(address, byref(value), ctypes.sizeof(value))

    @staticmethod
    def free(value):
        library.cm_any_text_free(byref(value))

    @staticmethod
    def check(what):
        if not isinstance(what, bytes):
            raise TypeError(f"bytes are wanted, not {what!r}")


class Map:
    def __init__(self, key=str, value=int, capacity=0, limit=0):
        self._map = None
        self._keys = {int: Integers, str: TextKeys}[key]
        self._values = {int: Integers, bytes: Bytes}[value]
        self._room = {int: c_uint64, bytes: Text}[value]  # for a value that is got
        self._type = kind = (c_uint64 * (SIZE_OF_TYPE // 8 + 1))()
        (library.cm_any_type_u64 if key is int else library.cm_any_type_text)(kind, 8)
        if value is bytes:
            library.cm_any_type_text_values(kind)
        status = c_int()
        config = Config(capacity=capacity, limit=limit)
        self._map = library.cm_any_create(kind, byref(config), byref(status))
        check(status.value)

    def close(self):
        """Gives everything back. No thread may be in the map."""
        library.cm_any_release(self._map)
        self._map = None

    def __del__(self):
        if self._map:
            self.close()

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.close()

    def __len__(self):
        return library.cm_any_len(self._map)

    def _key(self, key):
        self._keys.check(key)
        return self._keys.make(key)

    def __contains__(self, key):
        return library.cm_any_contains(self._map, byref(self._key(key)))

    def _take(self, value):
        """The Python value of one that was handed out."""
        try:
            return self._values.read(ctypes.addressof(value))
        finally:
            self._values.free(value)

    def get(self, key, otherwise=None):
        value = self._room()
        status = check(library.cm_any_get_until(self._map, byref(self._key(key)), byref(value), FOREVER))
        return self._take(value) if status == OK else otherwise

    def __getitem__(self, key):
        value = self.get(key)
        if value is None:
            raise KeyError(key)
        return value

    def _give(self, call, key, value, *more):
        """Calls with a value that the map takes, unless the call fails."""
        key = self._key(key)
        self._values.check(value)
        value = self._values.make(value)
        status = call(self._map, byref(key), byref(value), *more)
        if status < 0:
            self._values.free(value)
        return status

    def __setitem__(self, key, value):
        check(self._give(library.cm_any_put, key, value, None))

    def insert(self, key, value):
        """Adds the key if it is absent; whether it was."""
        return check(self._give(library.cm_any_insert, key, value)) == OK

    def pop(self, key, otherwise=None):
        value = self._room()
        status = check(library.cm_any_remove(self._map, byref(self._key(key)), byref(value)))
        return self._take(value) if status == OK else otherwise

    def __delitem__(self, key):
        if check(library.cm_any_remove(self._map, byref(self._key(key)), None)) == ABSENT:
            raise KeyError(key)

    def upsert(self, key, initial, function):
        """Adds the key with `initial`; or, where it is present, sets its value to function(value), in one atomic step. The
        function may use the map for other keys; what it raises is raised here, and nothing has changed."""
        raised = []

        def change(value, _):
            try:
                new = function(self._values.read(value))
                self._values.check(new)
                self._values.write(value, new)
                return OK
            except BaseException as error:  # it must not leave through the library
                raised.append(error)
                return INVALID

        status = self._give(library.cm_any_upsert, key, initial, Change(change), None)
        if raised:
            raise raised[0]
        check(status)

    def items(self):
        """Pairs of keys and values, copied some at a time; others may change the map meanwhile."""
        cursor, chunk = c_uint64(0), []

        def visit(key, value, _):
            try:
                chunk.append((self._keys.read(key), self._values.read(value)))
                return OK
            except BaseException:
                return INVALID

        visit = Visit(visit)
        while True:
            check(library.cm_any_scan(self._map, byref(cursor), CHUNK, visit, None))
            yield from chunk
            chunk.clear()
            if cursor.value == 0:
                return

    def __iter__(self):
        return (key for key, _ in self.items())

    def clear(self):
        check(library.cm_any_clear(self._map))

    def save(self, path):
        """Writes all entries to a file, which is there as a whole or not at all."""
        self._file(library.cm_any_save_file, self._map, os.fsencode(path), None)

    def load(self, path):
        """Puts all entries of a file that was saved by a map of such keys and values; none of one that is not whole."""
        loaded = (c_uint64 * (SIZE_OF_MAP // 8 + 1))()
        self._file(library.cm_any_load_file, loaded, self._type, None, os.fsencode(path), None)
        status = library.cm_any_merge(self._map, loaded, None, None)
        library.cm_any_destroy(loaded)
        check(status)

    @staticmethod
    def _file(call, *arguments):
        reason = c_char_p()
        if call(*arguments, byref(reason)) < 0:
            raise Error(reason.value.decode())
