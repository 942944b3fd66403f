"""«Обмен с сайтом»: the exchange of orders that stock configurations of 1C have built in, with the hub as the site.

    1C (always the caller)                the hub
    checkauth  login, token               a session: cookie and sessid
    init       version or none            no zip, so many bytes a request, version
    query                                 orders that changed since this base confirmed last, as CommerceML
    success                               that is confirmed: the base's cursor moves
    file       pieces of a file           kept; without a version taken at once when it is whole
    import     file name                  taken: each document an `order.snapshot` through the one door
    info                                  statuses and the like

Any of query/success, file/import may be missing, in any order. A cursor is a position in the log, one for each base and
set of channels; it moves by `success` alone, up to where that session was told, so that what was not confirmed comes
again. A file is taken only once it is known to be well-formed to its end; where taking it was cut off, it is taken
again, and what was taken before is known by its ids. All of it stands in Postgres: a session may go on at another
process of the hub, or after a restart.

`answers` what is answered and how it is spelt, `sessions` who asks and how far he is, `files` what comes, `taking` what
becomes of it, `news` which orders changed, `orders` how one is written down.
"""
