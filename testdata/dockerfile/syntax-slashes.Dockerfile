//syntax=example/frontend:2
{"image": "not:this"}
