FROM alp\
ine:3.20
FROM debian:\
12
