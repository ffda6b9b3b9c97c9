"""NumPy arrays as `.npy` files, mapped into memory read-only; NumPy scalars in the manifest itself."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, BinaryIO

from etude.errors import StepError
from etude.store.codecs.leaf import Tree, TypeName
from etude.store.files.artifact import Content
from etude.store.files.draft import Draft

if TYPE_CHECKING:
    import numpy as np

MAPPED = 1 << 16
"""Bytes from which a file is mapped into memory instead of read."""


class ArrayCodec:
    """One array per file. Memory order is kept; strides are not."""

    name = "npy"
    types: tuple[TypeName, ...] = (("numpy", "ndarray"),)

    def encode(self, value: np.ndarray[Any, Any], draft: Draft, at: str) -> Tree:
        import numpy as np

        if type(value) not in (np.ndarray, np.memmap):
            kind = f"{type(value).__module__}.{type(value).__qualname__}"
            if isinstance(value, np.ma.MaskedArray):
                raise StepError(
                    f"a {kind} would come back without its mask.\n"
                    "    Mend: return its data and its mask as two arrays (`value.data`, `np.ma.getmaskarray(value)`)."
                )
            raise StepError(f"a {kind} would come back as a plain array.\n    Mend: return it as one (`np.asarray`).")
        require_plain(value.dtype)
        file = f"{at}.npy"
        with draft.writing(file) as into:
            _write(into, np.asarray(value))
        return {"codec": self.name, "file": file}

    def decode(self, tree: Tree, content: Content, wanted: Any) -> np.ndarray[Any, Any]:
        import numpy as np

        file = tree["file"]
        if content.size(file) >= MAPPED:
            mapped: Any = np.load(content.path(file), mmap_mode="r", allow_pickle=False)
            array: Any = mapped.view(np.ndarray)
        else:
            array = np.lib.format.read_array(io.BytesIO(content.read(file)), allow_pickle=False)
        array.setflags(write=False)
        return array  # type: ignore[no-any-return]


def _write(into: BinaryIO, array: np.ndarray[Any, Any]) -> None:
    """Write an array as NumPy does, but without copying one that lies in one piece."""
    import numpy as np

    if not array.flags.forc or array.nbytes < MAPPED or array.dtype.names:
        np.lib.format.write_array(into, array, allow_pickle=False)
        return
    fields: Any = np.lib.format.header_data_from_array_1_0(array)
    np.lib.format.write_array_header_1_0(into, fields)
    flat = (array if array.flags.c_contiguous else array.T).reshape(-1)
    into.write(flat.view(np.uint8).data)


class ScalarCodec:
    """One number, date or text of NumPy's own types, as hexadecimal bytes."""

    name = "scalar"
    types: tuple[TypeName, ...] = (("numpy", "generic"),)

    def encode(self, value: np.generic, draft: Draft, at: str) -> Tree:
        import numpy as np

        require_plain(value.dtype)
        if isinstance(value, (np.str_, np.bytes_)) and value[-1:] in ("\0", b"\0"):  # which an array does not keep
            data = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else bytes(value)
            return {"codec": self.name, "of": "text" if isinstance(value, str) else "bytes", "hex": data.hex()}
        if value.dtype.names:
            if type(value) is not np.void:
                kind = f"{type(value).__module__}.{type(value).__qualname__}"
                raise StepError(f"a {kind} would come back as a numpy.void.\n"
                                "    Mend: return it as one (`value.view(np.void)`), or as a named tuple.")  # fmt: skip
            file = io.BytesIO()
            np.lib.format.write_array(file, np.asarray(value), allow_pickle=False)
            return {"codec": self.name, "of": "fields", "hex": file.getvalue().hex()}
        little = value.dtype.newbyteorder("<")
        return {"codec": self.name, "dtype": little.str, "hex": value.astype(little).tobytes().hex()}

    def decode(self, tree: Tree, content: Content, wanted: Any) -> Any:
        import numpy as np

        data = bytes.fromhex(tree["hex"])
        match tree.get("of"):
            case "text":
                return np.str_(data.decode("utf-8", "surrogatepass"))
            case "bytes":
                return np.bytes_(data)
            case "fields":
                return np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)[()]
        dtype = np.dtype(tree["dtype"])
        if dtype.itemsize == 0:
            return np.zeros((), dtype)[()]
        return np.frombuffer(data, dtype)[0]


def require_plain(dtype: np.dtype[Any]) -> None:
    """StepError for a dtype whose values are Python objects or that a file cannot name."""
    import numpy as np

    mend = "return it as a table or list, or with a numeric dtype (`astype`)"
    if dtype.hasobject:
        raise StepError(f"an array of dtype {dtype} holds Python objects, which are not stored.\n    Mend: {mend}.")
    descr: Any = np.lib.format.dtype_to_descr(dtype)
    if np.lib.format.descr_to_dtype(descr) != dtype or dtype.metadata:
        raise StepError(f"an array of dtype {dtype} would come back as {descr!r}.\n    Mend: {mend}.")
