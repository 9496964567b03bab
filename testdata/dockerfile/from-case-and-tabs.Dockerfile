	FrOm		alpine:3.20		AS	x	
	Copy	--from=X	/a /b
	cOpY --from=nginx:1.27	/a /b
