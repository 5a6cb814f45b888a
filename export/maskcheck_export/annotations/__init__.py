"""Completes the annotations of pictures: what detectors find and no annotation covers, and what models contradict.

======================  ================================================================================
module beside this one  holds
======================  ================================================================================
:mod:`.overlay`         ``Overlay``: changes of an annotation file, as a small JSON file; its application
:mod:`.pool`            the questions: pooled boxes of detectors, and doubted annotations
:mod:`.sheets`          contact sheets of the questions
:mod:`.answers`         the table that people fill in
:mod:`.merging`         the answers of people, made into an overlay
======================  ================================================================================
"""
