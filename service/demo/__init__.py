"""Something to look at: sandbox marketplaces, a pretend 1C, and the hub between them.

channels  the shops the hub sells in where no configuration says otherwise;  pace: how fast all of it goes
sandbox   the marketplace over HTTP, kept in a file;  buyers: what people do there
onec      the pretend 1C;  script: what it says of an order;  roads: how it talks to the hub
demo      all of it in one process
"""
