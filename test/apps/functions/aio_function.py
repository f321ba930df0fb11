import functions_framework.aio


@functions_framework.aio.http
async def answer(request):
    body = await request.body()
    return {"method": request.method, "size": len(body)}
