"""Numba's side of a handle: its type, how it comes from Python, and how a column is read."""

from __future__ import annotations

import hashlib
import itertools
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.imputils import lower_getattr_generic
from numba.core.typing.templates import AttributeTemplate, infer_getattr
from numba.extending import NativeValue, models, register_model, unbox
from numba.np import arrayobj, numpy_support

from scheduler.compilation.columns import ColumnType


class HandleType(types.Type):
    """A pointer to a table: per column its address and the length of each dimension."""

    def __init__(self, owner: str, columns: dict[str, ColumnType]) -> None:
        self.columns = columns
        named = ", ".join(f"{name}: {column}" for name, column in columns.items())
        digest = hashlib.sha256(named.encode()).hexdigest()[:8]
        super().__init__(f"{owner}_{digest}")

    def array(self, name: str) -> Any:
        """Numba's type of a column."""
        dtype, ndim = self.columns[name]
        return types.Array(numpy_support.from_dtype(dtype), ndim, "C")

    def position(self, name: str) -> int:
        """Where a column's address stands in the table."""
        before = itertools.takewhile(lambda column: column != name, self.columns)
        return sum(1 + self.columns[column].ndim for column in before)


@register_model(HandleType)
class _HandleModel(models.PrimitiveModel):
    def __init__(self, manager: Any, handle_type: HandleType) -> None:
        super().__init__(manager, handle_type, ir.IntType(64).as_pointer())


@unbox(HandleType)
def _from_python(_type: HandleType, value: Any, context: Any) -> Any:
    address = context.pyapi.object_getattr_string(value, "address")
    pointer = context.pyapi.long_as_voidptr(address)
    context.pyapi.decref(address)
    return NativeValue(context.builder.bitcast(pointer, ir.IntType(64).as_pointer()))


@infer_getattr
class _HandleAttribute(AttributeTemplate):
    key = HandleType

    def generic_resolve(self, typ: HandleType, attr: str) -> Any:
        return typ.array(attr) if attr in typ.columns else None


@lower_getattr_generic(HandleType)
def _read_column(context: Any, builder: Any, typ: HandleType, value: Any, attr: str) -> Any:
    """The array has no owner as far as compiled code knows, so no references are counted."""
    array_type = typ.array(attr)
    array = arrayobj.make_array(array_type)(context, builder)
    words = [_word(builder, value, typ.position(attr) + i) for i in range(1 + array_type.ndim)]
    itemsize = context.get_abi_sizeof(context.get_data_type(array_type.dtype))
    strides = [ir.Constant(ir.IntType(64), itemsize)]
    for length in reversed(words[2:]):
        strides.insert(0, builder.mul(strides[0], length))
    data = builder.inttoptr(words[0], array.data.type)
    arrayobj.populate_array(array, data, words[1:], strides, itemsize, meminfo=None)
    return array._getvalue()


def _word(builder: Any, table: Any, index: int) -> Any:
    """A word of the table, which never changes: LLVM may keep it in a register."""
    word = builder.load(cgutils.gep_inbounds(builder, table, index))
    word.set_metadata("invariant.load", builder.module.add_metadata([]))
    return word
