"""The kind `serverless`: Dataproc batches, which Google runs on machines of its own.

- `config`, `kind`, `backend`: as in every kind's folder, see `flowerexp.cluster`
- `rate`: what a batch costs
- `batches`: submit, follow and cancel batches
"""
