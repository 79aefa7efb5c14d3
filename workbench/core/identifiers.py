"""Names for Python: what a model calls its parts, as identifiers that mean one thing only.

Python folds identifiers (NFKC), so that two names of a model may be one variable; it mangles those
that begin with two underscores; and every module of torch has attributes of its own.
"""

from __future__ import annotations

import keyword
import unicodedata

_ATTRIBUTES = """
self T_destination add_module add_submodule apply bfloat16 buffers call_super_init children code
compile cpu cuda delete_all_unused_submodules delete_submodule double dump_patches eval extra_repr
float forward get_buffer get_extra_state get_parameter get_submodule graph half ipu load_state_dict
meta modules mtia named_buffers named_children named_modules named_parameters parameters
print_readable recompile register_backward_hook register_buffer register_forward_hook
register_forward_pre_hook register_full_backward_hook register_full_backward_pre_hook
register_load_state_dict_post_hook register_load_state_dict_pre_hook register_module
register_parameter register_state_dict_post_hook register_state_dict_pre_hook requires_grad_
set_extra_state set_submodule shape_env share_memory state_dict to to_empty to_folder train
training type xpu zero_grad _apply _backward_hooks _backward_pre_hooks _boxed_call _buffers
_call_impl _code _compiled_call_impl _create_node_hooks _deepcopy_hooks _deepcopy_init
_erase_node_hooks _forward_hooks _forward_hooks_always_called _forward_hooks_with_kwargs
_forward_pre_hooks _forward_pre_hooks_with_kwargs _get_backward_hooks _get_backward_pre_hooks
_get_name _graph _is_full_backward_hook _lineno_map _load_from_state_dict
_load_state_dict_post_hooks _load_state_dict_pre_hooks _maybe_warn_non_full_backward_hook _modules
_named_members _non_persistent_buffers_set _parameters _prologue_start _recompile_submodules
_register_create_node_hook _register_deepcopy_hook _register_erase_node_hook
_register_load_state_dict_pre_hook _register_replace_node_hook _register_state_dict_hook
_replace_hooks _replicate_for_data_parallel _save_to_state_dict _set_replace_hook _slow_forward
_state_dict_hooks _state_dict_pre_hooks _tracer_cls _tracer_extras _unregister_create_node_hook
_unregister_deepcopy_hook _unregister_erase_node_hook _unregister_replace_node_hook _version
_wrapped_call _wrapped_call_impl
"""
#: `self`, and what a `torch.fx.GraphModule` has before anything is added.
MODULE_ATTRIBUTES = frozenset(_ATTRIBUTES.split())


def folded(text: str) -> str:
    """The text as Python reads a name, with `_` in place of what no name may hold.

    >>> folded("𝐱.1"), folded("a b")
    ('x_1', 'a_b')
    """
    found = unicodedata.normalize("NFKC", text)
    return "".join(letter if f"_{letter}".isidentifier() else "_" for letter in found)


def is_plain(name: str) -> bool:
    """True for a name that Python reads as it is written, wherever it stands."""
    return (
        name.isidentifier()
        and not keyword.iskeyword(name)
        and not name.startswith("__")
        and unicodedata.normalize("NFKC", name) == name
    )


def is_step(name: str) -> bool:
    """True for a plain name that can be a part of a module."""
    return is_plain(name) and name not in MODULE_ATTRIBUTES
