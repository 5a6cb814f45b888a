"""A model repository for NVIDIA Triton Inference Server: the classifier, and the whole pipeline.

=======================  ============================================================================
module beside this one   holds
=======================  ============================================================================
:mod:`.settings`         what a user may choose
:mod:`.configs`          ``config.pbtxt`` of both models, from what the model file says
:mod:`.pipeline_model`   the whole pipeline for Triton's Python backend: copied into the repository
:mod:`.warmup`           what the pipeline runs on before it is ready
:mod:`.guide`            the README of a repository
:mod:`.repository`       writes a repository
:mod:`.checks`           checks a repository
=======================  ============================================================================
"""
