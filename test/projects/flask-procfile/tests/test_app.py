from flask import Flask

app = Flask("not served")
