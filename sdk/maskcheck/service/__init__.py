"""The HTTP service: ``maskcheck serve``, and an ASGI application for other servers.

It needs the extra ``serve``. :func:`maskcheck.service.app.create_app` makes the application.

=======================  =============================================================================
module beside this one   holds
=======================  =============================================================================
:mod:`.settings`         ``ServiceSettings``: limits, tokens, allowed origins
:mod:`.service`          ``Service``: what all routes share
:mod:`.app`              ``create_app``: the routes, put together
:mod:`.calls`            ``Call``: a request within its limits: body, place, time, and who still waits
:mod:`.limits`           ``Admission``: how many requests there may be at once
:mod:`.problems`         ``Problem``: what a refused request is told
:mod:`.tokens`           who may use it
:mod:`.open_inference`   the protocol of KServe: tensors in requests and answers
:mod:`.inference_models` the models that it offers by that protocol
:mod:`.routes`           the addresses, a module for each group
=======================  =============================================================================
"""
