"""Load and save this model in the way of the Hugging Face Hub; needs huggingface_hub.

    from hub import HubModel

    model = HubModel.from_pretrained(".")  # a folder, or a repository of the Hub
    model.save_pretrained("fine_tuned")
    model.push_to_hub("my-name/my-model")

Every tensor must be there, keeps its dtype, and layers that share one share it again; the plain
`load` of model.py does the same without huggingface_hub.
"""

import shutil
from pathlib import Path
from typing import Any

from huggingface_hub import PyTorchModelHubMixin, save_torch_state_dict, snapshot_download

import model as source

#: The file of weights, or the index of several.
WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
#: Options of `from_pretrained` that concern the download.
DOWNLOAD = ("revision", "cache_dir", "force_download", "local_files_only", "token")
#: What travels with the weights, where it is there.
COMPANIONS = ("model.py", "hub.py", "pipeline.py", "labels.json", "config.json", "inference.yml")


class HubModel(source.Model, PyTorchModelHubMixin):  # type: ignore[misc]
    """The model of model.py with `from_pretrained`, `save_pretrained` and `push_to_hub`."""

    @classmethod
    def _from_pretrained(cls, *, model_id: str, map_location: str = "cpu", **options: Any) -> Any:
        """The model in eval mode; raises RuntimeError where a tensor is missing or left over."""
        folder = Path(model_id)
        if not folder.is_dir():
            wanted = {name: options[name] for name in DOWNLOAD if name in options}
            patterns = [f"{name}*" for name in ("model-", *WEIGHTS)]
            folder = Path(snapshot_download(model_id, allow_patterns=patterns, **wanted))
        found = [folder / name for name in WEIGHTS if (folder / name).is_file()]
        if not found:
            raise FileNotFoundError(f"{folder} holds none of {', '.join(WEIGHTS)}")
        model = source.load(found[0])
        model.__class__ = cls  # its tensors stay the same objects: shared, and frozen where told
        return model.to(map_location)

    def _save_pretrained(self, save_directory: Path) -> None:
        """The weights, each shared tensor once, with the source."""
        tied = list(getattr(source, "TIED", ()))
        save_torch_state_dict(self.state_dict(), save_directory, shared_tensors_to_discard=tied)
        for name in COMPANIONS:
            file = Path(__file__).with_name(name)
            if file.is_file() and file.parent.resolve() != save_directory.resolve():
                shutil.copy(file, save_directory / name)
