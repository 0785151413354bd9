//! tmp
fn main(){ let f=std::env::args().nth(1).unwrap(); let t=std::fs::read_to_string(&f).unwrap();
 let c=millrace_crds::check(&f,&t); for e in &c.errors{println!("E {e}")} for e in &c.warnings{println!("W {e}")}
 if let Some(r)=c.resolved { let y=millrace_crds::to_yaml(&r); println!("{y}"); let again=millrace_crds::load("x",&y); match again {Ok(a)=>assert_eq!(a,r),Err(e)=>{for e in e{println!("AGAIN {e}")}}} } }
