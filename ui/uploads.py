"""Bounds what the UI keeps of files that visitors send; Streamlit keeps any number while they are there."""

from __future__ import annotations

from http import HTTPStatus

from starlette.exceptions import HTTPException
from streamlit.runtime import get_instance, memory_uploaded_file_manager
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

# The one that a page reads, and the one that takes its place: Streamlit removes the other after that.
KEPT = 2
MOST_BYTES = 300 * 2**20
FULL = "Others have sent as many files as are kept at once. Try again in a moment."


class BoundedUploads(MemoryUploadedFileManager):
    """The files of all visitors: the newest of each, and of all together so many bytes."""

    def add_file(self, session_id: str, file: UploadedFileRec) -> None:
        """Keeps a file. Raises: HTTPException where there is no room for it."""
        self.remove_file(session_id, file.file_id)
        older = list(self.file_storage.get(session_id, {}))
        for file_id in older[: len(older) + 1 - KEPT]:
            self.remove_file(session_id, file_id)
        if self._total_bytes + len(file.data) > MOST_BYTES:
            self._remove_what_is_left_behind()
        if self._total_bytes + len(file.data) > MOST_BYTES:
            raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, FULL)
        super().add_file(session_id, file)

    def _remove_what_is_left_behind(self) -> None:
        """Removes the files of visitors who have gone, such as of one who went while he sent it."""
        for session_id in list(self.file_storage):
            if not get_instance().is_active_session(session_id):
                self.remove_session_files(session_id)


def bound_uploads() -> None:
    """Has each app that is made from now on bound its uploads; Streamlit has no setting for it."""
    memory_uploaded_file_manager.MemoryUploadedFileManager = BoundedUploads  # type: ignore[misc]
