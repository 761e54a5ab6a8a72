package kubebackend

import (
	"context"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
)

const byJob = "job"

// watch mirrors the jobs and pods of an instance. What it holds may be old.
type watch struct {
	jobs, pods cache.SharedIndexInformer
	namespace  string
}

func newWatch(cfg Config, selector string) *watch {
	jobs := cfg.Client.BatchV1().Jobs(cfg.Namespace)
	pods := cfg.Client.CoreV1().Pods(cfg.Namespace)
	w := &watch{namespace: cfg.Namespace}
	w.jobs = informer(&batchv1.Job{}, selector,
		func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return jobs.List(ctx, o) },
		func(ctx context.Context, o metav1.ListOptions) (apiwatch.Interface, error) { return jobs.Watch(ctx, o) }, nil)
	w.pods = informer(&corev1.Pod{}, selector,
		func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return pods.List(ctx, o) },
		func(ctx context.Context, o metav1.ListOptions) (apiwatch.Interface, error) { return pods.Watch(ctx, o) },
		cache.Indexers{byJob: func(obj any) ([]string, error) {
			pod, ok := obj.(*corev1.Pod)
			if !ok {
				return nil, fmt.Errorf("%T is no pod", obj)
			}
			return []string{pod.Labels[batchv1.JobNameLabel]}, nil
		}})
	changed := cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { cfg.Changed() }, UpdateFunc: func(any, any) { cfg.Changed() }, DeleteFunc: func(any) { cfg.Changed() },
	}
	for _, i := range []cache.SharedIndexInformer{w.jobs, w.pods} {
		// Both fail on an informer only that runs or has stopped.
		_, _ = i.AddEventHandler(changed)
		_ = i.SetWatchErrorHandlerWithContext(func(ctx context.Context, _ *cache.Reflector, err error) {
			cfg.Log.WarnContext(ctx, "watch of the cluster ended, starting another", "error", err)
		})
	}
	return w
}

func informer(
	obj runtime.Object, selector string,
	list func(context.Context, metav1.ListOptions) (runtime.Object, error),
	watch func(context.Context, metav1.ListOptions) (apiwatch.Interface, error),
	indexers cache.Indexers,
) cache.SharedIndexInformer {
	return cache.NewSharedIndexInformer(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.LabelSelector = selector
			return list(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (apiwatch.Interface, error) {
			o.LabelSelector = selector
			return watch(ctx, o)
		},
	}, obj, 0, indexers)
}

// run fills the caches until ctx ends. A lost watch or an API server that restarts is the informers' to repair.
func (w *watch) run(ctx context.Context) error {
	done := make(chan struct{}, 2)
	for _, i := range []cache.SharedIndexInformer{w.jobs, w.pods} {
		go func() {
			i.RunWithContext(ctx)
			done <- struct{}{}
		}()
	}
	<-done
	<-done
	return nil
}

// find returns a job and its pods from the caches; false where they do not know it.
func (w *watch) find(name string) (*batchv1.Job, []corev1.Pod, bool) {
	if !w.jobs.HasSynced() || !w.pods.HasSynced() {
		return nil, nil, false
	}
	obj, ok, err := w.jobs.GetStore().GetByKey(w.namespace + "/" + name)
	if err != nil || !ok {
		return nil, nil, false
	}
	found, err := w.pods.GetIndexer().ByIndex(byJob, name)
	if err != nil {
		return nil, nil, false
	}
	var pods []corev1.Pod
	for _, p := range found {
		pods = append(pods, *p.(*corev1.Pod))
	}
	return obj.(*batchv1.Job), oldestFirst(pods), true
}
