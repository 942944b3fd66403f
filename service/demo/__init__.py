"""Something to look at: sandbox marketplaces, a pretend 1C, and the hub between them.

trials    the sandboxes there are, one in a marketplace's folder;  pace: how fast all of it goes
channels  the shops the hub sells in where no configuration says otherwise: theirs
sandbox   the marketplaces over HTTP;  keeping: their files;  buyers: what people do there
onec      the pretend 1C;  script: what it says of an order;  roads: how it talks to the hub
demo      all of it in one process
"""
