#include "lock-backend.h"

static void call_begin(LockBackend *backend, LockOnReply on_reply, void *userdata)
{
        assert(!backend->on_reply);
        backend->on_reply = on_reply;
        backend->userdata = userdata;
}

static int call_begun(LockBackend *backend, int r)
{
        if (r < 0)
                backend->on_reply = NULL;
        return r;
}

int lock_backend_demand(LockBackend *backend, const LockDemand *demand, LockOnReply on_reply,
                        void *userdata)
{
        call_begin(backend, on_reply, userdata);
        return call_begun(backend, backend->ops->demand(backend, demand));
}

int lock_backend_read(LockBackend *backend, LockOnReply on_reply, void *userdata)
{
        call_begin(backend, on_reply, userdata);
        return call_begun(backend, backend->ops->read(backend));
}

int lock_backend_swap(LockBackend *backend, const LockSwap *swap, LockOnReply on_reply,
                      void *userdata)
{
        assert(swap->n_sides <= LOCK_SIDES_MAX);
        call_begin(backend, on_reply, userdata);
        return call_begun(backend, backend->ops->swap(backend, swap));
}

int lock_backend_watch(LockBackend *backend, int64_t revision, LockOnReply on_reply, void *userdata)
{
        call_begin(backend, on_reply, userdata);
        return call_begun(backend, backend->ops->watch(backend, revision));
}

void lock_backend_cancel(LockBackend *backend)
{
        backend->on_reply = NULL;
        backend->ops->cancel(backend);
}

void lock_backend_reply(LockBackend *backend, const LockReply *reply)
{
        LockOnReply on_reply = backend->on_reply;

        backend->on_reply = NULL; /* the callback may make the next call */
        on_reply(reply, backend->userdata);
}

void lock_backend_reply_why(LockBackend *backend, LockAnswer answer, const char *why)
{
        lock_backend_reply(backend, &(LockReply) { .answer = answer, .why = why });
}

void lock_backend_go_on(LockBackend *backend, int r)
{
        if (r < 0)
                lock_backend_reply_why(backend, LOCK_ANSWER_FAILED, strerror(-r));
}
