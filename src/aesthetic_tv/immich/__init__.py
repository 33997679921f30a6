"""Immich: favourites and stars in, ratings and an album back.

Written to the API of Immich 3 as its specification and source state it, and tested against a small
server of the tests' own that answers so. No real server was run.

| step | needs of the key |
|---|---|
| `pull` | user.read, asset.read, asset.view; album.read for one album, asset.download for originals |
| `push` | user.read, asset.read, asset.update; album.read, album.create, albumAsset.create for an album |
| `undo` | user.read, asset.read, asset.update; albumAsset.delete, album.read, album.delete |
"""  # noqa: E501
