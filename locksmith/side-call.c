#include "side-call.h"

static void side_call_free(SideCall *s)
{
        if (!s)
                return;

        etcd_cancel(s->etcd);
        etcd_watch_cancel(s->watch);
        etcd_v2_watch_cancel(s->v2_watch);
        free(s->key);
        free(s->text);
        free(s);
}
DEFINE_CLEANUP(SideCall *, side_call_free);

static LockCall *side_call_cancel(LockCall *call)
{
        side_call_free((SideCall *)call); /* its first member */
        return NULL;
}

int side_call_new(LockBackend *backend, const char *key, LockOnSide on_reply, void *userdata,
                  SideCall **ret)
{
        _cleanup_(side_call_free_p) SideCall *s = calloc(1, sizeof(SideCall));
        int r;

        if (!s)
                return -ENOMEM;
        *s = (SideCall) {
                .call = { .cancel = side_call_cancel },
                .backend = backend,
                .on_reply = on_reply,
                .userdata = userdata,
        };
        r = text_set(&s->key, key);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(s);
        return 0;
}

int side_call_begun(SideCall *s, int r, LockCall **ret)
{
        if (r < 0) {
                side_call_free(s);
                return r;
        }

        *ret = &s->call;
        return 0;
}

bool side_call_answered(SideCall *s, const EtcdReply *reply)
{
        s->etcd = NULL;
        if (reply->outcome == ETCD_DONE)
                return true;

        side_call_fail(s, reply->why);
        return false;
}

void side_call_finish(SideCall *call, const LockSideReply *reply)
{
        _cleanup_(side_call_free_p) SideCall *s = call;

        s->on_reply(reply, s->userdata);
}

void side_call_fail(SideCall *s, const char *why)
{
        side_call_finish(s,
                         &(LockSideReply) { .why = is_empty(why) ? "etcd does not answer" : why });
}

void side_call_go_on(SideCall *s, int r)
{
        if (r < 0)
                side_call_fail(s, strerror(-r));
}
