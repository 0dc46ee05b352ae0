"""Three REST APIs that nobody here wrote, each as its own documentation sets it up, with made records in them.

    with DrfServer(directory, records=3000) as server:
        requests.get(server.url + server.path, params={"api_key": server.api_key, "limit": 100})
        server.add(5)
        assert len(server.ids()) == 3005

`drf.DrfServer`, `tastypie.TastypieServer`, `json_server.JsonServer`. They need the dependency group `recipes`.
"""
