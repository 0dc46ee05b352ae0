"""`tap-storage-plan`: cuts a collection into slices that runs can copy side by side, with no gap and no overlap.

`cuts` finds the moments between slices, `survey` asks the API how many records lie before one, or which record has a
rank; `plan` puts both together, and refuses where an API cannot be read in slices.
"""
